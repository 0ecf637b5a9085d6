{%- set dt = modules.datetime -%}
{%- set utc = modules.pytz.utc -%}
{%- set oslo = modules.pytz.timezone('Europe/Oslo') -%}
{%- set noon = utc.localize(dt.datetime(2024, 7, 1, 12, 0)) -%}
a {{ noon }} {{ noon.astimezone(oslo) }} {{ noon.astimezone(oslo).isoformat() }}
b {{ oslo.localize(dt.datetime(2024, 1, 1, 12, 0)) }} {{ oslo.localize(dt.datetime(2024, 7, 1, 12, 0)).astimezone(utc) }}
c {{ noon.astimezone(oslo).strftime('%Y-%m-%d %H:%M %Z %z') }} {{ noon.strftime('%z|%Z') }}
d {{ noon == noon.astimezone(oslo) }} {{ noon - oslo.localize(dt.datetime(2024, 1, 1, 12, 0)) }}
e {{ oslo }} {{ utc }} {{ oslo.zone }}
f {{ noon.astimezone(modules.pytz.timezone('Asia/Kolkata')) }} {{ noon.astimezone(modules.pytz.timezone('US/Eastern')).tzname() }}
g {{ oslo.normalize(oslo.localize(dt.datetime(2024, 3, 31, 1, 30)) + dt.timedelta(hours=1)) }}
h {{ (oslo.localize(dt.datetime(2024, 3, 31, 1, 30)) + dt.timedelta(hours=1)) }} {{ noon.utcoffset() }} {{ noon.astimezone(oslo).utcoffset() }} {{ noon.replace(tzinfo=none) }}
i {{ modules.pytz.timezone('UTC') }} {{ noon.tzinfo }}

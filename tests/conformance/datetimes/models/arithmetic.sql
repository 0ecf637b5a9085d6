{%- set dt = modules.datetime -%}
{%- set start = dt.datetime(2024, 1, 31, 10, 30, 5, 250) -%}
{%- set day = dt.timedelta(days=1) -%}
{%- set delta = dt.timedelta(days=1, hours=2, minutes=3, seconds=4, milliseconds=5, microseconds=6, weeks=1) -%}
a {{ start }}
b {{ start + day }}
c {{ start - day }}
d {{ start - dt.datetime(2024, 1, 1) }}
e {{ (start - dt.datetime(2024, 1, 1)).days }} {{ (start - dt.datetime(2024, 1, 1)).seconds }} {{ (start - dt.datetime(2024, 1, 1)).total_seconds() }}
f {{ delta }} {{ delta * 2 }} {{ delta / 2 }} {{ delta // 3 }} {{ delta / day }} {{ delta + day }} {{ delta - day }}
g {{ delta.days }} {{ delta.seconds }} {{ delta.microseconds }}
h {{ start < start + day }} {{ start == dt.datetime(2024, 1, 31, 10, 30, 5, 250) }} {{ start >= start }} {{ start != start }}
i {{ dt.date(2024, 2, 28) + day }} {{ dt.date(2024, 3, 1) - dt.date(2024, 2, 28) }} {{ dt.date(2024, 2, 28) > dt.date(2024, 2, 27) }}
j {{ start.strftime('%Y-%m-%d %H:%M:%S.%f %j %U %A %a %B %b %d %y %p %I %%') }}
k {{ start.isoformat() }} {{ start.date() }} {{ start.time() }} {{ start.date().isoformat() }} {{ start.weekday() }} {{ start.isoweekday() }}
l {{ start.replace(day=1, hour=0) }} {{ start.year }} {{ start.month }} {{ start.day }} {{ start.hour }} {{ start.minute }} {{ start.second }} {{ start.microsecond }}
m {{ dt.datetime.strptime('2024-05-06 07:08', '%Y-%m-%d %H:%M') }} {{ dt.datetime.fromisoformat('2024-05-06T07:08:09') }}
n {% for i in range(3) %}{{ (dt.date(2024, 12, 30) + dt.timedelta(days=i)).strftime('%d.%m.%Y') }} {% endfor %}
o {{ dt.timedelta(0) }} {{ dt.timedelta(hours=25) }} {{ dt.timedelta(seconds=-1) }} {{ dt.timedelta(microseconds=1) }} {{ dt.timedelta(days=2) }}
p {{ [dt.date(2024, 3, 1), dt.date(2024, 1, 1)] | sort | first }} {{ [start, start + day] | max }}
q {{ dt.datetime.combine(dt.date(2024, 1, 2), dt.time(3, 4)) }} {{ dt.time(3, 4, 5) }} {{ dt.time(3, 4) < dt.time(5) }}
r {{ dt.datetime.fromtimestamp(0, modules.pytz.utc) }} {{ dt.datetime(1970, 1, 2, tzinfo=modules.pytz.utc).timestamp() }}
s {{ day == dt.timedelta(hours=24) }} {{ day > dt.timedelta(hours=23) }}
t {{ dt.date.fromisoformat('2024-02-03') }} {{ dt.date(2024, 2, 3).replace(year=2025) }} {{ dt.date(2024, 2, 3).toordinal() }} {{ start.isocalendar()[1] }}

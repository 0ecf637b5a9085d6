{# A durable cursor over the changes of the relation that the model's text names. #}
{% materialization subscription, adapter='risingwave' %}
    {%- set options = {'retention': config.get('retention', '1D')} -%}
    {%- do options.update(config.get('subscription_options', {})) -%}
    {%- call rwt_create('subscription') -%}
        create subscription if not exists {{ this }} from {{ sql }}
with (
{{ rwt__options(options) }}
)
    {%- endcall -%}
{% endmaterialization %}

{# A query whose result RisingWave keeps up to date. #}
{% materialization materialized_view, adapter='risingwave' %}
    {%- do rwt_create_materialized_view() -%}
{% endmaterialization %}

{# dbt-risingwave's old name of the same. #}
{% materialization materializedview, adapter='risingwave' %}
    {%- do rwt_create_materialized_view() -%}
{% endmaterialization %}

{% macro rwt_create_materialized_view() %}
    {%- set order = config.get('backfill_order') -%}
    {%- call rwt_create('materialized_view') -%}
        create materialized view if not exists {{ this }}
        {%- if order %} with (backfill_order = FIXED({{ order if order is string else order | join(', ') }})){% endif %} as
{{ sql }}
    {%- endcall -%}
{% endmacro %}

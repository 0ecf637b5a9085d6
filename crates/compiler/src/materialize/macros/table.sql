{# A table with the rows that the query has when it is created. #}
{% materialization table, adapter='risingwave' %}
    {%- call rwt_create('table') -%}
        create table if not exists {{ this }} as
{{ sql }}
    {%- endcall -%}
{% endmaterialization %}

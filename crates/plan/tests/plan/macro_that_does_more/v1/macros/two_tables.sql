{% materialization two_tables, adapter='risingwave' %}
    {%- call statement('main') -%}create table if not exists {{ this }} as {{ sql }}{%- endcall -%}
    {%- call statement('more') -%}insert into {{ this }} {{ sql }}{%- endcall -%}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}

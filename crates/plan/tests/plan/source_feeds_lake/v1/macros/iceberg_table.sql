{% materialization iceberg_table, adapter='risingwave' %}
    {%- do run_query("set iceberg_engine_connection = 'public.lake'") -%}
    {%- call statement('main') -%}{{ sql }}{%- endcall -%}
    {{ return({'relations': [this]}) }}
{% endmaterialization %}

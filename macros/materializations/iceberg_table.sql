{#
  A table that RisingWave keeps in the lake (ENGINE = iceberg). The model's text is the whole CREATE TABLE.
  A table that is there is left alone: it holds data that no model can bring back.
#}
{% materialization iceberg_table, adapter='risingwave' %}
    {%- set relation = this.incorporate(type='table') -%}
    {%- if load_relation(this) is none -%}
        {{ run_hooks(pre_hooks) }}
        {%- do use_lake_connection() -%}
        {%- call statement('main') -%}
            {{ sql }}
        {%- endcall -%}
        {{ run_hooks(post_hooks) }}
    {%- else -%}
        {%- do store_raw_result(name='main', message='unchanged ' ~ relation, code='skip', rows_affected='0') -%}
    {%- endif -%}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

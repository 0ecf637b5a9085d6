{#
  A sink whose model is the whole CREATE SINK. It replaces the built-in materialization of the same name, which would
  also take a query. The sink is named after the model's alias, so that what is in the database is what the model says.
#}
{% materialization sink, adapter='risingwave' %}
    {%- set relation = this.incorporate(type='sink') -%}
    {%- if load_relation(this) is none -%}
        {{ run_hooks(pre_hooks) }}
        {%- call statement('main') -%}
            {{ sql }}
        {%- endcall -%}
        {{ run_hooks(post_hooks) }}
    {%- else -%}
        {%- do store_raw_result(name='main', message='unchanged ' ~ relation, code='skip', rows_affected='0') -%}
    {%- endif -%}
    {{ return({'relations': [relation]}) }}
{% endmaterialization %}

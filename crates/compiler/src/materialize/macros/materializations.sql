{# A query under a name. #}
{% materialization view, adapter='risingwave' %}
    {%- call rwt_create('view') -%}{{ risingwave__create_view_as(this.incorporate(type='view'), sql) }}{%- endcall -%}
{% endmaterialization %}

{# A query whose result RisingWave keeps up to date. #}
{% materialization materialized_view, adapter='risingwave' %}
    {%- call rwt_create('materialized_view', grants_first=true) -%}
        {{ risingwave__create_materialized_view_as(this.incorporate(type='materialized_view'), sql) }}
    {%- endcall -%}
{% endmaterialization %}

{# dbt-risingwave's old name of the same, without grants. #}
{% materialization materializedview, adapter='risingwave' %}
    {%- call rwt_create('materialized_view', grants=false) -%}
        {{ risingwave__create_materialized_view_as(this.incorporate(type='materializedview'), sql) }}
    {%- endcall -%}
{% endmaterialization %}

{# A table with the rows that the query has when it is created. #}
{% materialization table, adapter='risingwave' %}
    {%- call rwt_create('table') -%}{{ risingwave__create_table_as(False, this.incorporate(type='table'), sql) }}{%- endcall -%}
{% endmaterialization %}

{# In these the model's text is the whole statement. #}
{% materialization source, adapter='risingwave' %}
    {%- call rwt_create('source') -%}{{ risingwave__run_sql(sql) }}{%- endcall -%}
{% endmaterialization %}

{% materialization table_with_connector, adapter='risingwave' %}
    {%- call rwt_create('table') -%}{{ risingwave__run_sql(sql) }}{%- endcall -%}
{% endmaterialization %}

{% materialization connection, adapter='risingwave' %}
    {%- call rwt_create('connection', grants=false, docs=false) -%}{{ risingwave__run_sql(sql) }}{%- endcall -%}
{% endmaterialization %}

{% materialization secret, adapter='risingwave' %}
    {%- call rwt_create('secret', docs=false) -%}{{ risingwave__run_sql(sql) }}{%- endcall -%}
{% endmaterialization %}

{# Without `connector` the text is the whole CREATE SINK; with it, a query or the name of a relation. #}
{% materialization sink, adapter='risingwave' %}
    {%- call rwt_create('sink') -%}
        {%- if config.get('connector') -%}
            {{ risingwave__create_sink(this.incorporate(type='sink'), sql) }}
        {%- else -%}
            {{ risingwave__run_sql(sql) }}
        {%- endif -%}
    {%- endcall -%}
{% endmaterialization %}

{# A durable cursor over the changes of the relation that the model's text names. #}
{% materialization subscription, adapter='risingwave' %}
    {%- call rwt_create('subscription', docs=false) -%}
        {{ risingwave__create_subscription(this.incorporate(type='subscription'), sql) }}
    {%- endcall -%}
{% endmaterialization %}

{# A user-defined function; the model's text is its body. #}
{% materialization function, default %}
    {%- call rwt_create('function', grants=false, docs=false) -%}
        {%- set language = config.get('language') or model.language or 'sql' -%}
        {{ rwt_function(this.incorporate(type='function'), language | lower) }}
    {%- endcall -%}
{% endmaterialization %}

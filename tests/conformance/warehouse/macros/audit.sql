{% macro audit(relation, what) -%}
    insert into audit (model, what, at) values ('{{ relation.identifier }}', '{{ what }}', {{ dbt.current_timestamp() }})
{%- endmacro %}
{% macro default__generate_alias_name(custom_alias_name=none, node=none) -%}
    {%- if custom_alias_name -%}{{ custom_alias_name | trim }}{%- elif node.version -%}{{ node.name ~ "_ver" ~ node.version }}{%- else -%}{{ node.name }}{%- endif -%}
{%- endmacro %}
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
    {% do return(adapter.dispatch('generate_alias_name', 'dbt')(custom_alias_name, node)) %}
{%- endmacro %}
{% macro get_incremental_insert_overwrite_month_sql(arg_dict) %}
    {% do return("delete from " ~ arg_dict["target_relation"] ~ " where month in (select month from " ~ arg_dict["temp_relation"] ~ "); " ~ get_insert_into_sql(arg_dict["target_relation"], arg_dict["temp_relation"], arg_dict["dest_columns"])) %}
{% endmacro %}

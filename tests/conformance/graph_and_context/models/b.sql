-- {{ model.config.materialized }} {{ model.fqn }} {{ model.path }} {{ model.original_file_path }} {{ model.resource_type }} {{ model.package_name }} {{ model.tags }}
{%- if execute %}
{%- for node in graph.nodes.values() | selectattr('resource_type', 'equalto', 'model') | sort(attribute='name') %}
-- {{ node.name }} {{ node.unique_id }} {{ node.config.materialized }} {{ node.depends_on.nodes }}
{%- endfor %}
-- {{ graph.nodes['model.gc.a'].config.meta }} {{ graph.sources | length }}
{%- endif %}
-- {{ target.name }} {{ target.schema }} {{ target.type }} {{ target.threads }} {{ target.profile_name }} {{ target.host }} {{ target.user }} {{ target.dbname }}
-- {{ invocation_id | length }} {{ run_started_at is defined }} {{ thread_id is defined }} {{ dbt_version }} {{ project_name }}
-- {{ env_var('DBT_ENV_CUSTOM_ENV_X', 'none') }} {{ flags.STORE_FAILURES }} {{ flags.WHICH }} {{ invocation_args_dict.which }}
select * from {{ ref('a') }}

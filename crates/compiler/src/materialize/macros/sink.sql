{#
  Without `connector` in the configuration the model's text is the whole CREATE SINK. With it, the text is a query or the
  name of a relation, and the statement is made of `connector`, `connector_parameters`, `data_format`, `data_encode` and
  `format_parameters`.
#}
{% materialization sink, adapter='risingwave' %}
    {%- set connector = config.get('connector') -%}
    {%- call rwt_create('sink') -%}
        {%- if not connector -%}
            {{ sql }}
        {%- else -%}
            {%- set options = {'connector': connector} -%}
            {%- do options.update(config.get('connector_parameters', {})) -%}
            {%- set format = config.get('data_format') -%}
            {%- set encode = config.get('data_encode') -%}
            {%- set parameters = config.get('format_parameters', {}) -%}
            create sink if not exists {{ this }}
{% if rwt__is_query(sql) %}as {{ sql }}{% else %}from {{ sql }}{% endif %}
with (
{{ rwt__options(options) }}
)
            {%- if format and encode %}
format {{ format }} encode {{ encode }}
                {%- if parameters %} (
{{ rwt__options(parameters) }}
)
                {%- endif -%}
            {%- endif -%}
        {%- endif -%}
    {%- endcall -%}
{% endmaterialization %}

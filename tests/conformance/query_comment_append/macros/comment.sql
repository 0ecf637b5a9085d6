{% macro shop_comment(node) %}
    {%- set parts = {'target': target.name, 'threads': target.threads} -%}
    {%- if node is not none -%}
        {%- do parts.update(file=node.original_file_path, id=node.unique_id, by='shop') -%}
    {%- endif -%}
    {% do return(tojson(parts)) %}
{% endmacro %}

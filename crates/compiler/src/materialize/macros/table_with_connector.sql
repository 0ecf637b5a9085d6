{# The model's text is the whole CREATE TABLE, with its connector. #}
{% materialization table_with_connector, adapter='risingwave' %}
    {%- call rwt_create('table') -%}{{ sql }}{%- endcall -%}
{% endmaterialization %}

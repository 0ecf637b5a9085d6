{# The model's text is the whole CREATE CONNECTION. #}
{% materialization connection, adapter='risingwave' %}
    {%- call rwt_create('connection') -%}{{ sql }}{%- endcall -%}
{% endmaterialization %}

{# The model's text is the whole CREATE SOURCE. #}
{% materialization source, adapter='risingwave' %}
    {%- call rwt_create('source') -%}{{ sql }}{%- endcall -%}
{% endmaterialization %}

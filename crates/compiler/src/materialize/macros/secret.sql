{# The model's text is the whole CREATE SECRET. #}
{% materialization secret, adapter='risingwave' %}
    {%- call rwt_create('secret') -%}{{ sql }}{%- endcall -%}
{% endmaterialization %}

{# A query under a name. #}
{% materialization view, adapter='risingwave' %}
    {%- call rwt_create('view') -%}
        create view if not exists {{ this }} as
{{ sql }}
    {%- endcall -%}
{% endmaterialization %}

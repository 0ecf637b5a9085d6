{% materialization strict, default %}
  {%- if config.get('limit') is none -%}{{ exceptions.raise_compiler_error('strict needs a limit') }}{%- endif -%}
  {% do exceptions.warn('careful') %}
  {% call statement('main') -%}create table {{ this }} as {{ sql }} limit {{ config.get('limit') }}{%- endcall %}
  {{ return({'relations': [this]}) }}
{% endmaterialization %}

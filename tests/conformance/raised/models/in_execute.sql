{% if execute %}{{ exceptions.raise_compiler_error('no good: ' ~ this.name) }}{% endif %}
select 1 as a

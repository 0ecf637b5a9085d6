{% set q %}select {{ 1 + 1 }} as two{% endset %}
{% filter upper %}{{ q }}{% endfilter %}
{% if q is defined and q | length > 5 and not (false or none) %}, 'long' as l{% elif true %}x{% else %}y{% endif %}
{% with a = 1, b = 2 %}, {{ a + b }} as w{% endwith %}
, '{{ env_var("HOME_OF", "nowhere") }}' as e, '{{ ref("a").database }}' as db, '{{ builtins.ref("a") }}' as br
, {{ "'" ~ (['x', 'y'] | join("', '")) ~ "'" }} as j
, {{ dbt.datediff("'2024-01-01'", "'2024-01-02'", 'day') }} as dd, {{ dbt.safe_cast("x", api.Column.translate_type("string")) }} as sc
, {{ dbt_utils_like | default('none') }} as dl {% do log('x', info=true) %}

with numbers as ({{ dbt.generate_series(5) }}) select * from numbers

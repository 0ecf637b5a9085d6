{{ config(group='finance') }} select * from {{ ref('d') }}

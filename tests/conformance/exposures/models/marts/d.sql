{{ config(group='finance', access='private') }} select * from {{ ref('c') }}

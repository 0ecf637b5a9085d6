-- a comment
select a * 2 as a from {{ ref('base') }}

{{ config(materialized='materialized_view', pre_hook="select count(*) from {{ ref('plain') }}") }}
select b.id, '{{ ref("base").identifier }}' as name, '{{ flags.EMPTY }}' as is_empty
from {{ ref('base') }} as b
join {{ ref('base').render() }} whole on b.id = whole.id
join {{ ref('base').include(database=false) }} near on b.id = near.id
join {{ ref('mid') }} m on m.id = b.id
join {{ ref('plain') }} p on p.id = b.id
join {{ ref('versioned') }} v on v.id = b.id
join {{ source('raw', 'clicks') }} c on c.id = b.id
join {{ source('raw', 'users') }} u on u.id = b.id
join {{ ref('codes') }} s on s.id = b.id
{% set other = ref('base') ~ '' %}
where exists (select 1 from {{ other }})

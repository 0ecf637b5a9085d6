{{ config(materialized='incremental', incremental_strategy='microbatch', event_time='ts', batch_size='day',
    begin='2024-01-01', pre_hook="select 'before'", post_hook="select 'behind'") }}
select e.*, '{{ model.batch.id if model.batch else "none" }}' as batch
from {{ ref('events') }} e
join {{ ref('events').render() }} everything on e.id = everything.id
join {{ ref('lookup') }} l on l.id = e.id
join {{ source('raw', 'clicks') }} c on c.id = e.id
{% if is_incremental() %}where e.id > 0{% endif %}

select * from {{ ref('users_a') }} join {{ source('app', 'events') }} using (id) join {{ source('nested', 'n') }} using (id)

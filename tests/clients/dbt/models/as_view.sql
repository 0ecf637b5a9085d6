select code, people from {{ ref('countries') }}

/* leading */ -- comment with the word with
select * from {{ ref('base') }} -- with

{{ config(group='one', access='private') }} select 1 as id

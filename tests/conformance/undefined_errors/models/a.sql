select 1 as {{ not_defined }}

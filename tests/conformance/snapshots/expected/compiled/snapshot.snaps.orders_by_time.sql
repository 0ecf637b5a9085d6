
    
    select * from "dev"."public"."orders"
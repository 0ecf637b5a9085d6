create source {{ this }} (user_id int, page varchar) with ({{ kafka('views') }}) format plain encode json;

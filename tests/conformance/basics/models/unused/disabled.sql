select {{ this_is_not_defined.at_all }}

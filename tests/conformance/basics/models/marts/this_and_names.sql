select '{{ this }}' as a, '{{ this.schema }}' as b, '{{ this.identifier }}' as c, '{{ this.name }}' as d,
  '{{ this.database }}' as e, '{{ this.include(database=false) }}' as f, '{{ this.include(database=false, schema=false) }}' as g,
  '{{ this.quote(identifier=false) }}' as h, '{{ this.incorporate(path={"identifier": "x"}) }}' as i, '{{ this.type }}' as j,
  '{{ model.name }}' as k, '{{ model["alias"] }}' as l, '{{ model.unique_id }}' as m, '{{ schema }}.{{ database }}' as n,
  '{{ ref("totals").identifier }}' as o, '{{ source("other", "t") }}' as p, '{{ this.table }}' as q,
  '{{ this.is_view }}' as r, '{{ ref("totals").is_view }}' as s, '{{ this.render() }}' as t, '{{ this.without_identifier() }}' as u,
  '{{ this.replace_path(identifier="y") }}' as v, '{{ api.Relation.create(database="a", schema="b", identifier="c", type="view") }}' as w,
  '{{ this.information_schema("columns") }}' as x, '{{ ref("totals").type }}' as y, '{{ source("raw", "orders").name }}' as z

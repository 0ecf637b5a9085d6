//! Reading, parsing and compiling generated projects of 28, 1,000 and 10,000 models, beside minijinja alone rendering the
//! same texts once with functions that do nothing.

use std::fmt::Write;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use minijinja::{Environment, Value, context};
use rwt_compiler::{Compiler, Flags, load};
use rwt_project::LoadOptions;
use tempfile::TempDir;

const SIZES: [usize; 3] = [28, 1_000, 10_000];

const RATE: &str = "{% macro rate(part, whole) -%}\n    case when {{ whole }} > 0 then round({{ part }}::numeric / {{ whole }}, 2) else 0 end\n{%- endmacro %}\n";

/// One model in ten is a source, the others aggregate a model before them.
fn model(number: usize) -> String {
    if number.is_multiple_of(10) {
        return format!(
            "{{{{ config(materialized='source') }}}}\ncreate source {{{{ this }}}} (user_id int, amount double precision, event_time timestamp)\n\
             with (connector = 'kafka', topic = 't{number}', properties.bootstrap.server = '{{{{ target.kafka.bootstrap }}}}')\n\
             format plain encode json\n"
        );
    }
    let parent = if number.is_multiple_of(3) {
        number - number % 10
    } else {
        number - 1
    };
    let mut text = format!(
        "{{{{ config(tags=['t{}']) }}}}\n{{% set minute = \"interval '1 minute'\" %}}\nwith stages as (\n    select window_start,\n",
        number % 7
    );
    for column in 0..12 {
        let _ = writeln!(
            text,
            "        sum(amount) filter (where user_id % {} = 0) as c{column},",
            column + 2
        );
    }
    let _ = write!(
        text,
        "        count(distinct user_id) as viewers\n    from tumble({{{{ ref('model_{parent}') }}}}, event_time, {{{{ minute }}}})\n    group by window_start\n)\n\
         select *, {{{{ rate('c1', 'viewers') }}}} as r1, {{{{ rate('c2', 'viewers') }}}} as r2 from stages\n\
         {{% if target.name == 'prod' %}}where viewers > 0{{% endif %}}\n"
    );
    text
}

fn generate(models: usize) -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |path: String, text: &str| {
        let path = dir.path().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("directories");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "project.yml".to_owned(),
        "name: shop\nprofile: shop\nconfig-version: 2\nmodels:\n  shop:\n    +materialized: materialized_view\n",
    );
    write(
        "profiles.yml".to_owned(),
        "shop:\n  target: dev\n  outputs:\n    dev:\n      type: embedded\n",
    );
    write("macros/rate.sql".to_owned(), RATE);
    for number in 0..models {
        write(
            format!("models/m{}/model_{number}.sql", number / 1000),
            &model(number),
        );
    }
    dir
}

fn compile(dir: &Path) -> usize {
    let options = LoadOptions {
        project_dir: Some(dir.to_path_buf()),
        ..LoadOptions::default()
    };
    let project = load(&options).expect("loads");
    let compiler = Compiler::load(project, Flags::default()).expect("parses");
    let nodes = compiler.compile_all(&compiler.order()).expect("compiles");
    compiler.script(&nodes).expect("writes").len()
}

fn minijinja_alone(models: usize) -> usize {
    let mut env = Environment::new();
    env.add_function("config", |_: minijinja::value::Kwargs| "");
    env.add_function("ref", |name: String| name);
    env.add_function("rate", |part: String, whole: String| {
        format!("{part}/{whole}")
    });
    let target = context!(name => "dev", kafka => context!(bootstrap => "localhost:9092"));
    let context = context!(target => target, this => Value::from("this"));
    (0..models)
        .map(|number| {
            env.render_str(&model(number), context.clone())
                .expect("renders")
                .len()
        })
        .sum()
}

fn benches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("compile");
    group.sample_size(10);
    for models in SIZES {
        let dir = generate(models);
        group.bench_with_input(BenchmarkId::new("rwt", models), &models, |bencher, _| {
            bencher.iter(|| compile(dir.path()));
        });
        group.bench_with_input(
            BenchmarkId::new("minijinja", models),
            &models,
            |bencher, models| {
                bencher.iter(|| minijinja_alone(*models));
            },
        );
    }
    group.finish();
}

criterion_group!(compile_benches, benches);
criterion_main!(compile_benches);

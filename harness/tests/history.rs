//! The history's contract, held by both databases; and what becomes of a file that is damaged, shared or not to be had.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
};

use harness::{
    database::{Cluster, Demand, POSTGRES_CURE, postgres_binaries},
    history::{self, Entry, Figure, Filter, Place, Run, SCHEMA, Scope, Store, machine},
    host::Host,
    record::Commit,
};
use sqlx::{AnyConnection, Connection};

/// A run of the day `day`, of the commit that `commit` begins, with one figure for each value.
fn entry(run: &str, day: u32, commit: &str, values: &[f64]) -> Entry {
    let figure = |(at, value): (usize, &f64)| Figure {
        target: "armature".to_owned(),
        case: format!("case-{at:03}"),
        metric: "instructions_per_request".to_owned(),
        value: *value,
        rounds: 2,
    };
    let host = Host { cpu_model: "X".to_owned(), load_1m: 0.1 + 0.2, ..Host::default() };
    Entry {
        schema: SCHEMA,
        run: Run {
            run: run.to_owned(),
            suite: "engine".to_owned(),
            started: format!("2026-01-{day:02}T00:00:00Z"),
            finished: None,
            complete: true,
            commit: (!commit.is_empty()).then(|| Commit { hash: commit.repeat(40)[..40].to_owned(), dirty: false }),
            profile: "lto-fat".to_owned(),
            machine: machine(&host),
            host,
        },
        figures: values.iter().enumerate().map(figure).collect(),
    }
}

fn open(place: &Place) -> Store {
    history::open(place, &[], |word| panic!("nothing is to be said, but: {word}")).unwrap()
}

fn file(folder: &Path) -> Place {
    Place::File(folder.join("history.db"))
}

fn ids(store: &mut Store, filter: &Filter) -> Vec<String> {
    store.list(filter).unwrap().into_iter().map(|run| run.run).collect()
}

/// What every database has to do alike.
fn contract(place: &Place) {
    let mut store = open(place);
    assert_eq!(store.list(&Filter::default()).unwrap(), []);
    assert_eq!(store.find("none").unwrap(), None);

    // Floats come back to the last bit; text comes back as it was, and in no database's order.
    let values = [0.1 + 0.2, f64::MIN_POSITIVE, 1e308, 3.0, 0.0];
    let mut first = entry("B-ö'\"%", 1, "a", &values);
    first.run.finished = Some("2026-01-01T00:01:00Z".to_owned());
    for recorded in [&entry("a", 1, "a", &[9.0]), &first, &entry("c", 3, "", &[])] {
        store.record(recorded).unwrap();
        assert_eq!(store.find(&recorded.run.run).unwrap().as_ref(), Some(recorded));
    }
    assert_eq!(ids(&mut store, &Filter::default()), ["B-ö'\"%", "a", "c"]);

    // The same run again replaces what was known of it.
    let fewer = entry("a", 1, "b", &[8.0]);
    store.record(&fewer).unwrap();
    store.record(&fewer).unwrap();
    assert_eq!(store.find("a").unwrap(), Some(fewer));

    let filter = |suite: &str, commit: &str, machine: &str| Filter {
        suite: suite.to_owned(),
        commit: commit.to_owned(),
        machine: machine.to_owned(),
    };
    let key = first.run.machine.clone();
    for (filter, expected) in [
        (filter("engine", "", ""), &["B-ö'\"%", "a", "c"][..]),
        (filter("", "bbb", ""), &["a"]),
        (filter("", "", &key[..4]), &["B-ö'\"%", "a", "c"]),
        (filter("engine", "aa", &key), &["B-ö'\"%"]),
        (filter("micro", "", ""), &[]),
        (filter("", "", "no"), &[]),
    ] {
        assert_eq!(ids(&mut store, &filter), expected, "{filter:?}");
    }

    assert_eq!(store.delete(&["a".to_owned(), "none".to_owned()]).unwrap(), 1);
    assert_eq!(store.find("a").unwrap(), None);
    drop(store);
    let mut again = open(place);
    assert_eq!(again.find(&first.run.run).unwrap(), Some(first.clone()), "it outlives who recorded it");
    assert_eq!(again.delete(&[first.run.run, "c".to_owned()]).unwrap(), 2);
    series_and_baseline(&mut again);
    drop(again);
    what_a_newer_program_made_is_refused(place);
}

fn what_a_newer_program_made_is_refused(place: &Place) {
    let url = match place {
        Place::File(path) => {
            // Without what would have to be escaped in a URL.
            let copy = path.parent().unwrap().parent().unwrap().join("newer.db");
            fs::copy(path, &copy).unwrap();
            format!("sqlite://{}", copy.display())
        }
        Place::Server(url) => url.clone(),
    };
    let execute = |statement: &'static str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut connection = AnyConnection::connect(&url).await.unwrap();
            sqlx::query(statement).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    };
    execute(
        "INSERT INTO lab_migration (version, description, success, checksum, execution_time) VALUES (99, '', TRUE, '', 0)",
    );
    let newer = match place {
        Place::File(_) => Place::named(url.trim_start_matches("sqlite://")),
        Place::Server(_) => place.clone(),
    };
    let told = format!("{:#}", history::open(&newer, &[], |word| panic!("it is whole, but: {word}")).unwrap_err());
    assert!(told.contains("version 99") && told.contains("up to 1") && told.contains("update the checkout"), "{told}");
    execute("DELETE FROM lab_migration WHERE version = 99");
    assert_eq!(open(&newer).list(&Filter::default()).unwrap().len(), 10, "nothing was touched");
}

/// What a figure used to be: of whole commits on the same machine.
fn series_and_baseline(store: &mut Store) {
    let mut partial = entry("6", 6, "c", &[600.0]);
    partial.run.complete = false;
    let mut dirty = entry("7", 7, "c", &[700.0]);
    dirty.run.commit.as_mut().unwrap().dirty = true;
    let mut elsewhere = entry("8", 8, "c", &[800.0]);
    elsewhere.run.machine = "another".to_owned();
    let mut other = entry("9", 9, "c", &[900.0]);
    other.run.profile = "light".to_owned();
    let last = entry("11", 11, "f", &[5.0]);
    for recorded in [
        // Recorded in another order than they were run.
        &entry("3", 3, "b", &[2.0, 20.0]),
        &entry("1", 1, "a", &[1.0, 10.0]),
        // The same commit again: the later run counts.
        &entry("4", 4, "a", &[1.5]),
        &entry("5", 5, "", &[500.0]),
        &partial,
        &dirty,
        &elsewhere,
        &other,
        &entry("10", 10, "f", &[4.0]),
        &last,
    ] {
        store.record(recorded).unwrap();
    }
    let scope = Scope::from(&last.run);
    let hash = &last.run.commit.as_ref().unwrap().hash;
    let series = |store: &mut Store, metric: &str, head: &str| -> Vec<(String, Vec<f64>)> {
        let series = store.series(&scope, metric, head).unwrap();
        series.into_iter().map(|one| (format!("{} {}", one.target, one.case), one.figures)).collect()
    };
    let of = |case: &str, figures: &[f64]| (format!("armature {case}"), figures.to_vec());
    let metric = "instructions_per_request";
    assert_eq!(series(store, metric, hash), [of("case-000", &[2.0, 1.5]), of("case-001", &[10.0, 20.0])]);
    assert_eq!(series(store, metric, "")[0], of("case-000", &[2.0, 1.5, 5.0]));
    assert_eq!(series(store, "allocations_per_request", ""), []);

    let baseline = |store: &mut Store, run: &Run| store.baseline(run).unwrap().map(|entry| entry.run.run);
    assert_eq!(baseline(store, &last.run).as_deref(), Some("4"), "another commit, clean, complete, on this machine");
    assert_eq!(baseline(store, &entry("x", 1, "z", &[]).run), None, "nothing was before it");
}

#[test]
fn sqlite_holds_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    contract(&Place::File(folder.path().join("made on the way/ä %3F?#.db")));
}

#[test]
fn postgresql_holds_the_contract() {
    if postgres_binaries().is_none() {
        assert!(std::env::var_os("CI").is_none(), "CI has PostgreSQL: {POSTGRES_CURE}");
        eprintln!("skipped: no PostgreSQL; {POSTGRES_CURE}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    // PostgreSQL runs as another user where the test is root.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let cluster = Cluster::start(&folder.path().join("postgres"), &[], Demand::default()).unwrap();
    let place = Place::named(&cluster.url());
    contract(&place);
    many_writers(&place);
}

/// Writers that open the history at once and record at once.
fn many_writers(place: &Place) {
    const WRITERS: u32 = 6;
    const RUNS: u32 = 15;
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || {
                let mut store = open(place);
                for run in 0..RUNS {
                    store.record(&entry(&format!("writer-{writer}-{run}"), 1, "e", &[f64::from(run)])).unwrap();
                    // All of them replace this one, again and again.
                    store.record(&entry("shared", 2, "e", &[f64::from(run); 3])).unwrap();
                }
            });
        }
    });
    let mut store = open(place);
    for writer in 0..WRITERS {
        for run in 0..RUNS {
            let found = store.find(&format!("writer-{writer}-{run}")).unwrap().expect("none is lost");
            assert_eq!(found.figures[0].value, f64::from(run));
        }
    }
    assert_eq!(store.find("shared").unwrap(), Some(entry("shared", 2, "e", &[f64::from(RUNS - 1); 3])));
}

#[test]
fn writers_of_one_file_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    many_writers(&file(folder.path()));
}

#[test]
fn a_damaged_file_is_moved_aside_and_the_history_goes_on() {
    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil); 5] = [
        ("garbage", |path| fs::write(path, "no database ".repeat(1000)).unwrap()),
        ("empty", |path| fs::write(path, "").unwrap()),
        ("cut in the middle", |path| {
            let file = fs::OpenOptions::new().write(true).open(path).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        }),
        ("cut in the first page", |path| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(50).unwrap();
        }),
        ("overwritten inside", |path| {
            let mut bytes = fs::read(path).unwrap();
            for byte in &mut bytes[4096..] {
                *byte ^= 0x5a;
            }
            fs::write(path, bytes).unwrap();
        }),
    ];
    for (name, spoil) in spoils {
        let folder = tempfile::tempdir().unwrap();
        let place = file(folder.path());
        let Place::File(path) = &place else { unreachable!("a file") };
        let recorded = entry("1", 1, "a", &[1.0; 200]);
        open(&place).record(&recorded).unwrap();
        spoil(path);
        let spoilt = fs::read(path).unwrap();
        let mut said = Vec::new();
        let mut store =
            history::open(&place, &[folder.path().to_path_buf()], |word| said.push(word.to_owned())).unwrap();
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        assert!(said[0].contains("was damaged (") && said[0].contains("made again of 0 runs"), "{name}: {said:?}");
        assert_eq!(store.list(&Filter::default()).unwrap(), [], "{name}");
        store.record(&recorded).unwrap();
        drop(store);
        assert!(open(&place).find("1").unwrap() == Some(recorded), "{name}");
        let is_aside = |entry: &PathBuf| entry.to_string_lossy().contains("history.db.damaged-20");
        let mut files = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let aside = files.find(is_aside).unwrap_or_else(|| panic!("{name}: nothing was kept"));
        assert_eq!(fs::read(aside).unwrap(), spoilt, "{name}");
    }
}

#[test]
fn what_cannot_be_opened_is_said_with_a_cure() {
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "x").unwrap();
    let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    for place in [
        // Below a file; a folder; nobody listens on the discard port; and somebody who says nothing.
        Place::File(plain.join("history.db")),
        Place::File(folder.path().to_path_buf()),
        Place::named("postgres://u:secret@127.0.0.1:9/none"),
        Place::named(&format!("postgres://u:secret@{}/none", silent.local_addr().unwrap())),
    ] {
        let error = history::open(&place, &[], |_| ()).unwrap_err();
        let told = format!("{error:#}");
        assert!(told.contains("ARMATURE_HISTORY") && told.contains("--history"), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

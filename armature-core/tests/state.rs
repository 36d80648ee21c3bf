//! Tasks that wait for a shared state: for its change, or for the value that another task makes. They need a runtime,
//! which the state's own floor does not name.

use std::{cell::Cell, thread};

use armature_core::state::{ReadCache, ReadConfig, Statistics, Version};
use tokio::{runtime, task::yield_now};

/// Each change is made when the one before has been seen, so one that wakes nobody stops both threads for good.
#[test]
fn no_change_is_slept_through() {
    const CHANGES: u32 = 20_000;
    let (asks, answers) = (ReadConfig::new(0), ReadConfig::new(0));
    let echo = |from: &ReadConfig<u32>, to: &ReadConfig<u32>| {
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut seen = Version::default();
            for number in 1..=CHANGES {
                let change = from.changed(seen).await;
                assert_eq!(**change, number);
                seen = change.version();
                to.store(number);
            }
        });
    };
    thread::scope(|scope| {
        scope.spawn(|| echo(&asks, &answers));
        let runtime = runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for number in 1..=CHANGES {
                let seen = answers.version();
                asks.store(number);
                assert_eq!(**answers.changed(seen).await, number);
            }
        });
    });
}

#[test]
fn every_waiting_task_is_woken_and_sees_the_newest() {
    let config = ReadConfig::new(0);
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let seen = config.version();
    let change = async {
        config.store(1);
        config.store(2);
    };
    let (one, other, ()) = runtime.block_on(async { tokio::join!(config.changed(seen), config.changed(seen), change) });
    assert_eq!((**one, **other), (2, 2));
}

#[test]
fn of_tasks_that_miss_together_one_makes_the_value() {
    let cache = ReadCache::new(10).with_statistics();
    let made = Cell::new(0);
    let make = async |fails: bool| {
        made.set(made.get() + 1);
        yield_now().await;
        if fails { Err("on purpose") } else { Ok(made.get()) }
    };
    let runtime = runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(async {
        tokio::join!(
            cache.get_or_try_insert(1, make(true)),
            cache.get_or_try_insert(1, make(false)),
            cache.get_or_try_insert(1, make(false)),
        )
    });
    assert_eq!((found, made.get()), ((Err("on purpose"), Ok(2), Ok(2)), 2));
    let counted = Statistics { reads: 3, hits: 1, misses: 2, writes: 1 };
    assert_eq!(cache.statistics(), Some(counted));
    assert_eq!((cache.remove(&1), cache.get(&1), cache.is_empty()), (Some(2), None, true));
}

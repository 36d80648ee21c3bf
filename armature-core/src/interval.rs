//! What happens every so often: time for the floors below, which have none of their own.

use std::{
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, MissedTickBehavior, interval_at};

/// Longer than any server runs, and short enough for any clock; as tokio has it for what never comes.
pub(crate) const PERIOD_MAX: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Something that is ready every `period`, 30 years at most, the first time when one has passed since it was first polled.
///
/// What nobody has polled for longer is late once and then regular again. It is for a worker, or wherever else tokio's
/// time runs.
///
/// # Panics
/// When the period is zero.
///
/// ```
/// use std::time::Duration;
/// use armature_core::{every, stream::{self, Overflow, Watermarks, sse::Sse}};
///
/// let (sender, receiver) = stream::channel(Watermarks::default(), Overflow::DropOldest);
/// let response = Sse::new(receiver).keep_alive(every(Duration::from_secs(15)));
/// # drop((sender, response));
/// ```
pub fn every(period: Duration) -> impl FnMut(&mut Context<'_>) -> Poll<()> {
    assert!(!period.is_zero(), "what happens every so often needs time in between");
    let period = period.min(PERIOD_MAX);
    let mut interval = None;
    move |cx| {
        let interval = interval.get_or_insert_with(|| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        });
        interval.poll_tick(cx).map(drop)
    }
}

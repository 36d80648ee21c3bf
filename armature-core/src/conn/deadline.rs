//! Which deadline a connection is under, and what happens when it passes.

use std::{ops::ControlFlow, time::Duration};

use super::Conn;
use crate::{body::BodyError, h1::Refusal, io::Stream, limits::Limits, service::Service, worker::timer::Ticks};

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing that has a deadline: its handler is running.
    Nothing,
    /// The rest of a head, or the first one.
    Head,
    /// The next request.
    Idle,
    /// The next request, while the worker is stopping.
    Drain,
    /// Nothing any more: what is there already is read and answered, then the connection ends.
    Last,
    /// The rest of a body.
    Body,
    /// Room in the socket's send buffer.
    Write,
    /// The peer's end, after ours.
    Linger,
}

/// How long a client may be waited for over a whole body, given how much of it has arrived.
pub(super) fn body_allowance(received_bytes: u64, limits: &Limits) -> Duration {
    let earned_ms = received_bytes.saturating_mul(1_000) / u64::from(limits.body_rate_bytes_per_s_min.max(1));
    limits.body_deadline.saturating_add(Duration::from_millis(earned_ms))
}

/// How long a connection may be idle when `open` of `open_max` are open: `full` up to a half, then less in proportion,
/// and `least` when all are.
#[inline]
pub(super) fn idle_limit(open: usize, open_max: usize, full: Ticks, least: Ticks) -> Ticks {
    let half = open_max / 2;
    if open <= half { full } else { full.toward(least, open - half, open_max - half) }
}

/// The deadlines of [`Limits`] in ticks of the worker's clock.
#[derive(Debug)]
pub(crate) struct Patience {
    head: Ticks,
    idle: Ticks,
    idle_min: Ticks,
    drain_idle: Ticks,
    /// How long a connection must have been idle to be closed before its time.
    pub(crate) cull_idle_min: Ticks,
    pub(super) write: Ticks,
    pub(super) linger: Ticks,
}

impl Patience {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            head: limits.head_deadline.into(),
            idle: limits.idle_deadline.into(),
            idle_min: limits.idle_deadline_min.min(limits.idle_deadline).into(),
            drain_idle: limits.drain_idle.into(),
            cull_idle_min: limits.cull_idle_min.into(),
            write: limits.write_deadline.into(),
            linger: limits.linger_deadline.into(),
        }
    }
}

impl<IO: Stream, S: Service> Conn<IO, S> {
    /// Puts the connection under a deadline, unless it is under that one already.
    #[inline]
    pub(super) fn wait_for(&mut self, wait: Wait, after: Ticks) {
        if self.wait != wait {
            self.wait = wait;
            self.worker.timers.set(self.task, after);
        }
    }

    /// Takes the connection out of this deadline: there was progress. A deadline that then passes is ignored.
    #[inline]
    pub(super) fn wait_not(&mut self, wait: Wait) {
        if self.wait == wait {
            self.wait = Wait::Nothing;
        }
    }

    /// The deadline for what comes between two requests.
    pub(super) fn wait_for_head(&mut self) {
        let patience = &self.worker.patience;
        let (wait, after) = if self.protocol.is_inside_head() {
            (Wait::Head, patience.head)
        } else if self.worker.is_draining() {
            (Wait::Drain, patience.drain_idle)
        } else if self.answered == 0 {
            (Wait::Head, patience.head)
        } else {
            if self.wait != Wait::Idle {
                self.wait = Wait::Idle;
                let (open, open_max) = (self.worker.open(), self.worker.limits.connections_max);
                self.worker.timers.set_idle(self.task, idle_limit(open, open_max, patience.idle, patience.idle_min));
            }
            return;
        };
        self.wait_for(wait, after);
    }

    /// Whether the connection was to end when everything that is there is answered, and it is.
    pub(super) fn is_over(&self) -> bool {
        self.wait == Wait::Last
            && !self.protocol.is_inside_head()
            && !self.stream.as_ref().is_some_and(Stream::has_arrived)
    }

    /// Acts on a deadline that has passed; `Break` ends the connection on the spot.
    pub(super) fn deadline_passed(&mut self) -> ControlFlow<()> {
        match self.wait {
            Wait::Nothing | Wait::Last => ControlFlow::Continue(()),
            Wait::Head => {
                self.wait = Wait::Nothing;
                self.protocol.refuse_head(&self.input[self.answered_bytes..], Refusal::HeadDeadline);
                self.refuse(Refusal::HeadDeadline);
                ControlFlow::Continue(())
            }
            Wait::Drain | Wait::Idle => {
                // A request may have arrived since the worker last looked, however long that took it, and is answered.
                self.wait = Wait::Last;
                ControlFlow::Continue(())
            }
            Wait::Body => {
                self.wait = Wait::Nothing;
                self.protocol.close();
                match &self.incoming {
                    Some(incoming) => {
                        incoming.feed.finish(Err(BodyError::Refused(Refusal::BodyDeadline)), None);
                        ControlFlow::Continue(())
                    }
                    // The answer is out already; what is missing was only to be thrown away.
                    None => ControlFlow::Break(()),
                }
            }
            Wait::Write | Wait::Linger => ControlFlow::Break(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_with_idle_connections_shrinks_as_they_get_more() {
        let (full, least) = (Duration::from_millis(10_000 - 50).into(), Duration::from_millis(1_000 - 50).into());
        for (open, open_max, limit_ms) in
            [(1, 100, 10_000), (50, 100, 10_000), (75, 100, 5_500), (100, 100, 1_000), (200, 100, 1_000), (1, 1, 1_000)]
        {
            let limit: Ticks = Duration::from_millis(limit_ms - 50).into();
            assert_eq!(idle_limit(open, open_max, full, least), limit, "{open} of {open_max}");
        }
    }

    #[test]
    fn a_body_earns_time_by_arriving() {
        let limits =
            Limits { body_deadline: Duration::from_secs(10), body_rate_bytes_per_s_min: 100, ..Limits::default() };
        for (received, allowed_s) in [(0, 10), (99, 10), (100, 11), (10_000, 110)] {
            assert_eq!(body_allowance(received, &limits).as_secs(), allowed_s, "{received}");
        }
        assert!(body_allowance(u64::MAX, &limits) > Duration::from_secs(1 << 40));
    }
}

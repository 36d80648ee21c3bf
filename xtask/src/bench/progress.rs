//! Shows how far a run has come: a bar with the time left on a terminal, a line now and then elsewhere.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use probe::suite::Event;

/// Between two lines where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(crate) struct Progress {
    bar: ProgressBar,
    terminal: bool,
    begun: Instant,
    line: Option<Instant>,
    steps: u64,
    done: u64,
    /// Time the suite expected for the steps that are done, and for all, s.
    expected_done_s: f64,
    expected_s: f64,
    step_s: f64,
}

impl Progress {
    pub(crate) fn new(terminal: bool) -> Self {
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:32} {pos}/{len}  {msg}") {
            bar.set_style(style.progress_chars("━╸─"));
        }
        Self {
            bar,
            terminal,
            begun: Instant::now(),
            line: None,
            steps: 0,
            done: 0,
            expected_done_s: 0.0,
            expected_s: 0.0,
            step_s: 0.0,
        }
    }

    pub(crate) fn on(&mut self, event: &Event) {
        match event {
            Event::Planned { cases, steps, expected_s } => {
                (self.steps, self.expected_s) = (u64::from(*steps), *expected_s);
                self.bar.set_length(self.steps);
                self.print(&format!("{} cases, about {}", cases.len(), human(*expected_s)));
            }
            Event::Step { label, expected_s } => {
                self.expected_done_s += self.step_s;
                self.step_s = *expected_s;
                // The database's preparation is a step without a number of its own.
                if *expected_s > 0.0 {
                    self.done += 1;
                }
                self.show(label);
            }
            Event::Failed(failure) => self.print(&format!("failed: {}", failure.reason)),
            Event::Verified(verification) => {
                for problem in &verification.problems {
                    self.print(&format!("{} answers wrong: {problem}", verification.target));
                }
            }
            Event::Note { text } => self.print(text),
            Event::Ready { .. } | Event::Sample(_) | Event::Finished => {}
        }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn show(&mut self, label: &str) {
        self.bar.set_position(self.done.saturating_sub(1));
        let message = format!("{label}, {} left", human(self.left_s()));
        self.bar.set_message(message.clone());
        if !self.terminal && self.line.is_none_or(|line| line.elapsed() > LINE_EVERY) {
            self.line = Some(Instant::now());
            eprintln!("{}/{} {message}", self.done, self.steps);
        }
    }

    /// What is left of the suite's own estimate, stretched as the steps so far were.
    fn left_s(&self) -> f64 {
        let elapsed_s = self.begun.elapsed().as_secs_f64();
        let stretch = if self.expected_done_s > 5.0 { elapsed_s / self.expected_done_s } else { 1.0 };
        (self.expected_s - self.expected_done_s).max(0.0) * stretch
    }

    fn print(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }
}

pub(super) fn human(seconds: f64) -> String {
    let seconds = seconds.max(0.0).round() as u64;
    if seconds < 90 { format!("{seconds} s") } else { format!("{} min", seconds.div_ceil(60)) }
}

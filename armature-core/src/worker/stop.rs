//! The one switch that stops all workers of a server.

use tokio::sync::watch;

/// The switch; once asked for, a stop is not taken back.
#[derive(Debug, Default)]
pub(crate) struct Stop(watch::Sender<bool>);

impl Stop {
    /// Asks for the stop, from any thread.
    pub(crate) fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Waits until somebody asks.
    pub(super) async fn asked(&self) {
        let mut receiver = self.0.subscribe();
        // The sender lives in this very struct, so waiting for it cannot fail.
        let _ = receiver.wait_for(|asked| *asked).await;
    }
}

//! Who is tested: the programs, built alone by cargo, and one of them running.

use std::{collections::BTreeMap, sync::LazyLock};

use harness::{
    build::Request,
    target::{Server, Setup},
};
use probe::suite::{Role, Target};

use crate::client::Client;

/// The packages that serve the contract; each builds a program of its name.
const IMPLEMENTATIONS: &[&str] = &["rest-axum", "rest-actix", "rest-armature"];

/// Where cargo put the programs; or what went wrong, which each test then repeats.
static PROGRAMS: LazyLock<Result<BTreeMap<&str, String>, String>> = LazyLock::new(|| {
    let build = |package: &&'static str| match Request::new(package, "light").build() {
        Ok(program) => Ok((*package, program.display().to_string())),
        Err(problem) => Err(format!("{problem:#}")),
    };
    IMPLEMENTATIONS.iter().map(build).collect()
});

/// An implementation that runs; it ends with the value.
pub(crate) struct Running {
    pub(crate) name: &'static str,
    pub(crate) server: Server,
}

impl Running {
    /// A client that has logged in.
    pub(crate) fn client(&self) -> Client {
        let mut client = self.stranger();
        client.login();
        client
    }

    /// A client without a token.
    pub(crate) fn stranger(&self) -> Client {
        Client::new(self.name, self.server.address())
    }
}

/// Calls the test with each implementation, freshly started.
pub(crate) fn each(arguments: &[&str], test: impl Fn(&Running)) {
    let programs = PROGRAMS.as_ref().unwrap_or_else(|problem| panic!("{problem}"));
    for (name, program) in programs {
        let command = [program.as_str()].into_iter().chain(arguments.iter().copied());
        let target = Target {
            name: (*name).to_owned(),
            role: Role::Framework,
            command: command.map(str::to_owned).collect(),
            counting: Vec::new(),
            serves: Vec::new(),
            control: true,
            port: 0,
        };
        // Other tests and builds may have the CPUs.
        let setup = Setup { cpus: &[], database: None, pool: None, slowdown: 6 };
        let server = Server::start(&target, &setup).unwrap_or_else(|trouble| panic!("{trouble:?}"));
        let running = Running { name, server };
        test(&running);
        running.server.stop().unwrap_or_else(|trouble| panic!("{trouble:?}"));
    }
}

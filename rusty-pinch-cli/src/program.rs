//! From the command line to an exit code.

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use rusty_pinch_core::config::{Assembled, assemble, assemble_hands};
use rusty_pinch_core::{
    Agent, CountingObserver, Redactor, Sandbox, Settings, SettingsError, TelemetryFile, TurnObserver,
};

use crate::arguments::{Arguments, Verb};
use crate::failure::{Code, Failure, with_causes};
use crate::log::{self, TurnLines};
use crate::output::Output;
use crate::{sandbox, verbs};

/// What every verb has: settings that keep their rules, and somewhere to write.
pub(crate) struct Program {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
}

/// A program with an agent.
pub(crate) struct Runtime {
    pub(crate) agent: Agent,
    pub(crate) output: Output,
}

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut output = Output::new(arguments.json);
    let settings = Settings::load().map(with_sandbox);
    if let Ok(settings) = &settings {
        output.redactor = Redactor::new(settings.secrets());
    }
    if let Err(problem) = log::start(output.redactor.clone()) {
        output.warning(&problem);
    }
    let code = match dispatch(arguments.verb.unwrap_or(Verb::Doctor), settings, output.clone()) {
        Ok(code) => code,
        Err(failure) => {
            output.failure(&failure);
            failure.code()
        }
    };
    code.into()
}

/// The settings of a program that can become the sandbox of its skills.
fn with_sandbox(mut settings: Settings) -> Settings {
    settings.skills.sandbox = Some(Sandbox::Child(sandbox::command()));
    settings
}

fn dispatch(verb: Verb, settings: Result<Settings, SettingsError>, output: Output) -> Result<Code, Failure> {
    // Work that blocks (files, SQLite) has threads of its own; one more for the rest starts fastest.
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let tokio = tokio.map_err(|error| Failure::failed("the program can't start", &error, None))?;
    if matches!(verb, Verb::Doctor) {
        return verbs::doctor::run(&tokio, settings.as_ref(), &output);
    }
    let program = Program { settings: settings?, output };
    program.warn_of_unknown_names();
    let result = match verb {
        Verb::Repl(arguments) => verbs::repl::run(&program, &tokio, &arguments.session),
        verb => tokio.block_on(verbs::run(&program, verb)),
    };
    // A thread that still blocks must not keep a program that is done.
    tokio.shutdown_background();
    result
}

impl Program {
    fn warn_of_unknown_names(&self) {
        for unknown in &self.settings.sources.unknown {
            let name = &unknown.name;
            self.output.warning(&match unknown.nearest {
                Some(nearest) => format!("{name:?} is not a variable of this program; did you mean {nearest}?"),
                None => format!("{name:?} is not a variable of this program"),
            });
        }
    }

    /// The program with an agent as the settings say.
    pub(crate) fn start(&self) -> Result<Runtime, Failure> {
        Ok(self.runtime(assemble(&self.settings, self.observer())?))
    }

    /// The same for verbs that need tools and approvals: they work without a usable provider.
    pub(crate) fn start_hands(&self) -> Result<Runtime, Failure> {
        Ok(self.runtime(assemble_hands(&self.settings, self.observer())?))
    }

    fn runtime(&self, assembled: Assembled) -> Runtime {
        for left_out in &assembled.left_out {
            let provider = left_out.provider;
            self.output.warning(&format!("`{provider}` is left out of the chain: {}", left_out.why));
        }
        let choice = &assembled.choice;
        if let Some(why) = &choice.why {
            tracing::info!(provider = %choice.provider, why, "chose the provider");
        }
        Runtime { agent: assembled.agent, output: self.output.clone() }
    }

    fn observer(&self) -> impl TurnObserver + use<> {
        let redactor = self.output.redactor.clone();
        let file = TelemetryFile::new(&self.settings.telemetry.file);
        let output = self.output.clone();
        let counters = CountingObserver::new(file, redactor.clone(), move |error| output.warning(&with_causes(error)));
        // A person sees answers and errors; lines for machines between them would only disturb.
        (TurnLines { redactor, silent: io::stderr().is_terminal() }, counters)
    }
}

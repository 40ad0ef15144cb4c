//! How a child limits itself, once and for good, before it reads what a stranger wrote.
//!
//! Limits of resources must hold, or the child does not go on. Landlock and the filter of system calls hold where the
//! kernel has them; what is missing is told to the parent. On other systems than Linux there is none of it: the child
//! has Rhai's limits, and its parent kills it at its deadline.

use std::io;
use std::time::Duration;

use super::report::Confinement;

#[cfg(not(target_os = "linux"))]
pub(super) fn confine(_: Duration) -> io::Result<Confinement> {
    Ok(Confinement::default())
}

#[cfg(target_os = "linux")]
pub(super) fn confine(time: Duration) -> io::Result<Confinement> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};

    // No other process of this user may look into this one.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    let landlock = linux::close_files_and_network();
    linux::limit_resources(time)?;
    let memory_bytes = Some(super::bounds::SANDBOX_MEMORY_BYTES_MAX);
    Ok(Confinement { memory_bytes, landlock, seccomp: linux::filter_system_calls() })
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;
    use std::time::Duration;

    use landlock::{ABI, Access, AccessFs, AccessNet, LandlockStatus, Ruleset, RulesetAttr, RulesetStatus, Scope};
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::super::bounds::{SANDBOX_MEMORY_BYTES_MAX, STACK_BYTES};

    /// The newest version of Landlock that is asked for. Older kernels give what they have.
    const LANDLOCK: ABI = ABI::V6;

    /// Denies every file, every TCP port, and signals and abstract sockets of others. Gives the version in force.
    pub(super) fn close_files_and_network() -> Option<i32> {
        let rules = Ruleset::default().handle_access(AccessFs::from_all(LANDLOCK)).ok()?;
        let rules = rules.handle_access(AccessNet::from_all(LANDLOCK)).ok()?;
        let rules = rules.scope(Scope::from_all(LANDLOCK)).ok()?;
        let status = rules.create().ok()?.restrict_self().ok()?;
        match (status.ruleset, status.landlock) {
            (RulesetStatus::NotEnforced, _) => None,
            (_, LandlockStatus::Available { effective_abi, .. }) => Some(effective_abi as i32),
            _ => None,
        }
    }

    /// Limits memory, processor time, files and processes, for good: the hard limits are set as well.
    pub(super) fn limit_resources(time: Duration) -> io::Result<()> {
        // One second more than it may run: the deadline is the parent's to keep, this is for when there is none.
        let seconds = time.as_secs().saturating_add(2);
        let limits = [
            (Resource::As, SANDBOX_MEMORY_BYTES_MAX),
            (Resource::Cpu, seconds),
            (Resource::Core, 0),
            (Resource::Fsize, 0),
            (Resource::Memlock, 0),
            (Resource::Msgqueue, 0),
            // Its three pipes are open already. Nothing else can be.
            (Resource::Nofile, 3),
            // For the superuser this counts nothing; the filter of system calls does.
            (Resource::Nproc, 0),
        ];
        for (resource, bound) in limits {
            set(resource, bound)?;
        }
        set(Resource::Stack, STACK_BYTES)
    }

    fn set(resource: Resource, bound: u64) -> io::Result<()> {
        // A limit that is lower already stays: only the superuser may raise one.
        let bound = getrlimit(resource).maximum.map_or(bound, |maximum| maximum.min(bound));
        let hard = Some(bound);
        Ok(setrlimit(resource, Rlimit { current: hard, maximum: hard })?)
    }

    /// Lets the kernel refuse every system call that running a script does not need. Whether it does.
    pub(super) fn filter_system_calls() -> bool {
        #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
        return super::filter::install().is_some();
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        false
    }
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod filter {
    use std::collections::BTreeMap;

    use libc::c_long;
    use seccompiler::{
        BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
        apply_filter_all_threads,
    };

    /// What an allocator, a clock, a lock, an abort and an exit need.
    const ALLOWED: &[c_long] = &[
        libc::SYS_brk,
        libc::SYS_clock_gettime,
        libc::SYS_clock_nanosleep,
        libc::SYS_exit,
        libc::SYS_exit_group,
        libc::SYS_futex,
        libc::SYS_getpid,
        libc::SYS_getrandom,
        libc::SYS_getppid,
        libc::SYS_gettid,
        libc::SYS_gettimeofday,
        libc::SYS_madvise,
        libc::SYS_mremap,
        libc::SYS_munmap,
        libc::SYS_nanosleep,
        libc::SYS_ppoll,
        libc::SYS_restart_syscall,
        libc::SYS_rt_sigaction,
        libc::SYS_rt_sigprocmask,
        libc::SYS_rt_sigreturn,
        libc::SYS_sched_yield,
        libc::SYS_sigaltstack,
    ];

    /// A program of the filter that is installed; what is not in it fails as if it were not permitted.
    pub(super) fn install() -> Option<()> {
        let mut rules: BTreeMap<i64, Vec<SeccompRule>> = ALLOWED.iter().map(|call| (*call, Vec::new())).collect();
        #[cfg(target_arch = "x86_64")]
        rules.insert(libc::SYS_poll, Vec::new());
        rules.insert(libc::SYS_read, vec![when(0, SeccompCmpOp::Eq, 0)?]);
        for call in [libc::SYS_write, libc::SYS_writev] {
            rules.insert(call, vec![when(0, SeccompCmpOp::Eq, 1)?, when(0, SeccompCmpOp::Eq, 2)?]);
        }
        // No memory becomes code, and no file becomes memory: not even one that a careless parent left open.
        let executable = u64::try_from(libc::PROT_EXEC).ok()?;
        let not_code = || is(2, SeccompCmpOp::MaskedEq(executable), 0);
        let anonymous = u64::try_from(libc::MAP_ANONYMOUS).ok()?;
        let no_file = is(3, SeccompCmpOp::MaskedEq(anonymous), anonymous)?;
        rules.insert(libc::SYS_mprotect, vec![all(vec![not_code()?])?]);
        rules.insert(libc::SYS_mmap, vec![all(vec![not_code()?, no_file])?]);
        // An abort is a signal to itself.
        let me = u64::from(std::process::id());
        rules.insert(libc::SYS_tgkill, vec![when(0, SeccompCmpOp::Eq, me)?]);
        let refused = SeccompAction::Errno(u32::try_from(libc::EPERM).ok()?);
        let arch = std::env::consts::ARCH.try_into().ok()?;
        let filter = SeccompFilter::new(rules, refused, SeccompAction::Allow, arch).ok()?;
        let program = BpfProgram::try_from(filter).ok()?;
        apply_filter_all_threads(&program).ok()
    }

    fn when(argument: u8, how: SeccompCmpOp, value: u64) -> Option<SeccompRule> {
        all(vec![is(argument, how, value)?])
    }

    fn is(argument: u8, how: SeccompCmpOp, value: u64) -> Option<SeccompCondition> {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value).ok()
    }

    /// A rule that holds where all of `conditions` do.
    fn all(conditions: Vec<SeccompCondition>) -> Option<SeccompRule> {
        SeccompRule::new(conditions).ok()
    }
}

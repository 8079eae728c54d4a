//! What is read when somebody asks: how the house stands. Nothing here takes a lock that a call waits for.

use std::{
    path::Path,
    sync::{Arc, Weak},
};

use casemate_ledger::{Counts, Onlooker};
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Meter},
};

use crate::{clock, exit::Failure, house::House};

/// Read them whenever the instruments are read. The house is not kept by it.
pub(super) fn observe(meter: &Meter, house: &Arc<House>, ledger: &Path) -> Result<(), Failure> {
    let house = Arc::downgrade(house);
    let ledger = Arc::new(Onlooker::open(ledger)?);
    let gauge = |name: &'static str, what: &'static str, read: fn(&House, &dyn AsyncInstrument<u64>)| {
        let house = Weak::clone(&house);
        let look = move |it: &dyn AsyncInstrument<u64>| house.upgrade().into_iter().for_each(|house| read(&house, it));
        meter.u64_observable_gauge(name).with_description(what).with_callback(look).build();
    };
    gauge("casemate_places_in_use", "Places of the sandbox that are taken.", |house, it| {
        it.observe(house.runtime.occupancy().in_use.into(), &[]);
    });
    gauge("casemate_places_waiting", "Calls that wait for a place.", |house, it| {
        it.observe(house.runtime.occupancy().waiting.into(), &[]);
    });
    gauge("casemate_plugins", "Installed plugins, by whether they are served.", |house, it| {
        let serving = house.serving();
        for (state, count) in [("loaded", serving.loaded().count()), ("refused", serving.refused().len())] {
            it.observe(u64::try_from(count).unwrap_or(u64::MAX), &[KeyValue::new("state", state)]);
        }
    });
    gauge("casemate_build_info", "Which program this is; always 1.", |_, it| {
        it.observe(1, &[KeyValue::new("version", env!("CARGO_PKG_VERSION"))]);
    });
    let counted = |name: &'static str, what: &'static str, read: fn(Counts) -> u64| {
        let ledger = Arc::clone(&ledger);
        // A ledger that cannot be read says nothing, rather than zero.
        let look = move |it: &dyn AsyncInstrument<u64>| {
            ledger.counts(clock::now()).into_iter().for_each(|counts| it.observe(read(counts), &[]));
        };
        meter.u64_observable_gauge(name).with_description(what).with_callback(look).build();
    };
    counted("casemate_approvals_waiting", "Approvals that wait for somebody.", |counts| counts.approvals_waiting);
    counted("casemate_breaker_paused", "Principals that are paused.", |counts| counts.paused);
    let lag = Weak::clone(&house);
    meter
        .f64_observable_gauge("casemate_audit_lag_seconds")
        .with_description("How long the oldest audit record that is not on disk has waited.")
        .with_unit("s")
        .with_callback(move |it| {
            let lag = lag.upgrade().map(|house| house.log.standing().lag.unwrap_or_default());
            lag.into_iter().for_each(|lag| it.observe(lag.as_secs_f64(), &[]));
        })
        .build();
    meter
        .u64_observable_counter("casemate_audit_records_total")
        .with_description("Audit records that this process has written.")
        .with_callback(move |it| house.upgrade().into_iter().for_each(|house| it.observe(house.log.standing().records, &[])))
        .build();
    Ok(())
}

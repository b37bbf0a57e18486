// tandem/middleware/adapter/ionq/wire_device.h - what the vendor says of its machines and its prices.
//
// Room: middleware; for the sources of this part only.
#pragma once

#include <optional>
#include <string>

#include "tandem/base/json.h"
#include "tandem/middleware/remote/codec.h"

namespace tandem::ionq {

/// A backend: its qubits, whether it takes work, and the wait in its queue. Errors: those of ObjectReader; 1023 - another backend.
Result<remote::DeviceFacts> read_device(const ObjectReader& reader, const std::string& backend);

/// The newest characterization, empty where there is none. The vendor publishes medians: each qubit gets them. A fidelity F of a gate
/// on d levels is read as the depolarising probability (1 - F) d / (d - 1); what is not said is 0. Errors: those of the readers.
Result<std::optional<device::Calibration>> read_calibration(const ObjectReader& reader, const std::string& device);

/// What the newest characterization says of the qubits and their pairs, without gates and shots; empty where there is none. Where every
/// pair is coupled, none is named. Errors: those of ObjectReader; 1023 - a pair that is none.
Result<std::optional<device::Target>> read_target(const ObjectReader& reader, const std::string& device);

/// The price of a program, rounded up to a millionth of a dollar, and the time of the machine, to a microsecond.
/// Errors: those of ObjectReader; 1023 - another unit than US dollars, or an amount or a time that is none.
Result<backend::Quote> read_estimate(const ObjectReader& reader, const std::string& backend);

/// What a machine counts of a job that has ended: its time where the vendor bills that, else that of the execution. Empty as long as
/// it does not say both shots and a time. Errors: as read_estimate().
Result<std::optional<job::MeteredUse>> read_used(const ObjectReader& reader);

/// What a job cost; empty as long as only an estimate is there. Errors: as read_estimate().
Result<std::optional<job::Money>> read_bill(const ObjectReader& reader);

}  // namespace tandem::ionq

// tandem/middleware/adapter/labdevice/labdevice.h - the adapter of the emulated device (lab/device), API v1.
//
// Room: middleware. A pure codec; its facts stand in adapter.yaml beside it. The wire is described in docs/guide/lab_device.md.
// Bit order on the wire: an outcome is a hexadecimal number whose bit i is classical bit i ("0x1": only bit 0 is set).
#pragma once

#include <memory>
#include <string_view>

#include "tandem/middleware/remote/codec.h"

namespace tandem::labdevice {

std::unique_ptr<const remote::Codec> make_codec();

/// The text of adapter.yaml, for people: `tandem backends`.
std::string_view adapter_yaml();

}  // namespace tandem::labdevice

// tandem/model/format/qasm2_library.h - the gates that OpenQASM 2 files expect of qelib1.inc and that the table of gates has not.
//
// Room: model. For qasm2*.cc only. Written from what the gates are, not from that file.
#pragma once

#include <string_view>

namespace tandem::format {

/// Definitions over the table of gates (model/circuit/gate.h). Each is the gate up to a global phase, which no OpenQASM 2 program can see:
/// the language cannot control a gate that a program defines.
inline constexpr std::string_view kQasm2Library = R"(
gate u3(theta, phi, lambda) a { u(theta, phi, lambda) a; }
gate u2(phi, lambda) a { u(pi/2, phi, lambda) a; }
gate u1(lambda) a { p(lambda) a; }
gate u0(length) a { id a; }
gate cu1(lambda) a, b { cp(lambda) a, b; }
// Three turns of which the first two undo the third unless x stands between them; p gives u(theta, phi, lambda) its phase.
gate cu3(theta, phi, lambda) a, b {
  rz((lambda - phi)/2) b;
  cx a, b;
  rz(-(phi + lambda)/2) b; ry(-theta/2) b;
  cx a, b;
  ry(theta/2) b; rz(phi) b;
  p((phi + lambda)/2) a;
}
gate cu(theta, phi, lambda, gamma) a, b { p(gamma) a; cu3(theta, phi, lambda) a, b; }
gate csx a, b { h b; cp(pi/2) a, b; h b; }
gate rzx(theta) a, b { h b; rzz(theta) a, b; h b; }
// ccx and its like with other phases, for fewer gates.
gate rccx a, b, c { h c; t c; cx b, c; tdg c; cx a, c; t c; cx b, c; tdg c; h c; }
gate rc3x a, b, c, d {
  h d; t d; cx c, d; tdg d; h d;
  cx a, d; t d; cx b, d; tdg d; cx a, d; t d; cx b, d; tdg d;
  h d; t d; cx c, d; tdg d; h d;
}
// A phase where all are 1: half of it where the last but one is 1, less half of it where that is not the product of those before it.
gate c2p(lambda) a, b, c { cp(lambda/2) b, c; cx a, b; cp(-lambda/2) b, c; cx a, b; cp(lambda/2) a, c; }
gate c3p(lambda) a, b, c, d { cp(lambda/2) c, d; ccx a, b, c; cp(-lambda/2) c, d; ccx a, b, c; c2p(lambda/2) a, b, d; }
gate c3x a, b, c, d { h d; c3p(pi) a, b, c, d; h d; }
gate c3sqrtx a, b, c, d { h d; c3p(pi/2) a, b, c, d; h d; }
gate c4p(lambda) a, b, c, d, e {
  cp(lambda/2) d, e; c3x a, b, c, d; cp(-lambda/2) d, e; c3x a, b, c, d; c3p(lambda/2) a, b, c, e;
}
gate c4x a, b, c, d, e { h e; c4p(pi) a, b, c, d, e; h e; }
)";

}  // namespace tandem::format

// Package api is the wire boundary: it turns the domain (packages power and
// policy) into protobuf and back, errors into gRPC statuses and back, and holds
// who may call what. Nothing else in the project does any of the three.
//
// Moments of a machine's own clock become ages on the wire and moments of the
// receiver's clock behind it: every conversion that needs it takes "now". What
// can't be understood is blind, never an outage (law 2). The functions are pure
// and safe for concurrent use; servers and connections are gRPC's own.
package api

package example;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.concurrent.TimeUnit;
import vestibule.v1.ActionRuntimeServiceGrpc;
import vestibule.v1.ContinuePostLoginRequest;
import vestibule.v1.ContinuePostLoginResponse;
import vestibule.v1.Decision;
import vestibule.v1.ExecutePostLoginRequest;
import vestibule.v1.ExecutePostLoginResponse;
import vestibule.v1.GetTenantRequest;
import vestibule.v1.MfaSteps.MfaStep;

/**
 * Reads answers as a gateway for Java does: `read` those of standard input, in Base64, one a line; `call TARGET` those of
 * a daemon to its requests, METHOD TAB ProtoJSON, one a line. Prints of each one line: what the getters say, TAB, the
 * whole answer as ProtoJSON.
 */
public final class Smoke {
  private static final JsonFormat.Printer JSON = JsonFormat.printer().omittingInsignificantWhitespace();

  public static void main(String[] arguments) throws IOException, InterruptedException {
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    if (arguments[0].equals("read")) {
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        ExecutePostLoginResponse answer = ExecutePostLoginResponse.parseFrom(Base64.getDecoder().decode(line));
        say(told(answer.getDecision()), answer);
      }
      return;
    }
    ManagedChannel channel = Grpc.newChannelBuilder(arguments[1], InsecureChannelCredentials.create()).build();
    try {
      Gateway gateway = new Gateway(ActionRuntimeServiceGrpc.newBlockingStub(channel));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] parts = line.split("\t", 2);
        gateway.call(parts[0], parts[1]);
      }
    } finally {
      channel.shutdownNow().awaitTermination(10, TimeUnit.SECONDS);
    }
  }

  /** Calls a daemon, and continues the flow that its last answer suspended. */
  private static final class Gateway {
    private final ActionRuntimeServiceGrpc.ActionRuntimeServiceBlockingStub daemon;
    private Decision last = Decision.getDefaultInstance();

    Gateway(ActionRuntimeServiceGrpc.ActionRuntimeServiceBlockingStub daemon) {
      this.daemon = daemon;
    }

    void call(String method, String json) throws IOException {
      var stub = daemon.withDeadlineAfter(30, TimeUnit.SECONDS);
      try {
        switch (method) {
          case "ExecutePostLogin" -> {
            var request = ExecutePostLoginRequest.newBuilder();
            JsonFormat.parser().merge(json, request);
            ExecutePostLoginResponse answer = stub.executePostLogin(request.build());
            last = answer.getDecision();
            say(told(last), answer);
          }
          case "ContinuePostLogin" -> {
            var request = ContinuePostLoginRequest.newBuilder();
            JsonFormat.parser().merge(json, request);
            request.setContinuation(last.getSuspension().getContinuation());
            ContinuePostLoginResponse answer = stub.continuePostLogin(request.build());
            last = answer.getDecision();
            say(told(last), answer);
          }
          case "GetTenant" -> {
            var answer = stub.getTenant(GetTenantRequest.newBuilder().setTenantId(json).build());
            say(answer.getExperience().name(), answer);
          }
          default -> throw new IllegalArgumentException(method);
        }
      } catch (StatusRuntimeException error) {
        say(refused(error), ErrorInfo.getDefaultInstance());
      }
    }
  }

  /** The status and the reason of an error. */
  private static String refused(StatusRuntimeException error) throws InvalidProtocolBufferException {
    String reason = "";
    for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        reason = detail.unpack(ErrorInfo.class).getReason();
      }
    }
    return error.getStatus().getCode() + " " + reason;
  }

  /** What a gateway does with a decision, by the generated getters alone. */
  private static String told(Decision decision) {
    return switch (decision.getOutcome()) {
      case OUTCOME_ALLOW -> "allow claims=" + decision.getOnSuccess().getIdTokenClaims().getFieldsCount();
      case OUTCOME_MFA_REQUIRED, OUTCOME_MFA_REQUIRED_BY_TOKEN ->
          decision.getOutcome() + " challenge=" + decision.getMultifactor().getChallengeList()
              + " enroll=" + decision.getMultifactor().getEnrollList();
      case OUTCOME_DENY -> "deny " + decision.getDenial().getReason() + " " + decision.getDenial().getDescription();
      case OUTCOME_SUSPEND, OUTCOME_SUSPEND_BY_TOKEN -> decision.getOutcome() + " " + switch (
          decision.getSuspension().getStepCase()) {
        case MFA -> "mfa " + decision.getSuspension().getMfa().getStepsList().stream().map(MfaStep::getKind).toList();
        case REDIRECT -> "redirect " + decision.getSuspension().getRedirect().getUrl();
        case PROMPT -> "prompt " + decision.getSuspension().getPrompt().getId();
        case STEP_NOT_SET -> "refuse";
      };
      case OUTCOME_UNSPECIFIED, UNRECOGNIZED -> "refuse";
    };
  }

  private static void say(String told, MessageOrBuilder answer) throws InvalidProtocolBufferException {
    System.out.println(told + "\t" + JSON.print(answer));
  }

  private Smoke() {}
}

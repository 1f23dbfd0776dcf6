package org.apache.iceberg.rest;

import org.junit.jupiter.api.Test;

/**
 * The kit's tests of what it switches off in code, because the server that it brings cannot do it:
 * nested namespaces, slashes in names, unique table locations.
 */
public class BeyondCatalogTests extends RESTCompatibilityKitCatalogTests {
  @Override
  protected boolean supportsNestedNamespaces() {
    return true;
  }

  @Override
  protected boolean supportsNamesWithSlashes() {
    return true;
  }

  @Override
  @Test
  public void createTableInUniqueLocation() {
    super.createTableInUniqueLocation();
  }
}
